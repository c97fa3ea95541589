import assert from "node:assert/strict";
import { test } from "node:test";

import { createTeam } from "../../static/work/team.js";
import { page, photo, server } from "./parts.js";

/** The page of ann, or of the one person where there is no login; `agrees` answers questions. */
function team(state, { agrees = true } = {}) {
  const on = page(state);
  const { api } = server({ "POST /projects/1/next-image": () => ({ image: null }) });
  const done = [];
  const ask = async (question) => done.push(["ask", question]) && agrees;
  const session = { setStatus: async (status) => void done.push(["set", status]) };
  return { ...on, done, team: createTeam({ ...on, api, session, ask, client: "tab" }) };
}

test("why there is no other image to annotate is said for one person and for several", async () => {
  for (const [user, total, words] of [
    [null, 0, /^There is no image yet/],
    [null, 2, /^Every other image is done/],
    ["ann", 2, /others have it open/],
  ]) {
    const on = team({ status: { user }, total });
    await on.team.nextFree();
    assert.match(on.said[0].text, words);
  }
});

test("an approval is taken back after a question only", async () => {
  const image = photo("a", { status: "approved", reviewer: "eve" });
  const refused = team({ image }, { agrees: false });
  await refused.team.toggleDone();
  assert.deepEqual(refused.done, [["ask", "eve approved this image. Reopening it takes the approval back."]]);
  const agreed = team({ image });
  await agreed.team.toggleDone();
  assert.deepEqual(agreed.done[1], ["set", "in_progress"]);
});

test("what is done is reopened, and what is not is done, without a question", async () => {
  for (const [status, next] of [["done", "in_progress"], ["rejected", "done"]]) {
    const on = team({ image: photo("a", { status }) });
    await on.team.toggleDone();
    assert.deepEqual(on.done, [["set", next]]);
  }
});
