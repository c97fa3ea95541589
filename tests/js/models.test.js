import assert from "node:assert/strict";
import { test } from "node:test";

import { createModels } from "../../static/work/models.js";
import { page, server } from "./parts.js";

/** What the page says when tiny is chosen and the server then serves this model. */
async function chosen(name, error = null) {
  const { store, toast, said } = page({ status: { model: { name: "nano" } } });
  const { api } = server({ "PUT /model": () => ({ model: { name, error, loading: null } }) });
  await createModels({ store, api, toast, prepareAgain: async () => {} }).choose("tiny");
  return said.filter((item) => item.kind !== "progress").map((item) => item.text);
}

test("the page says which model it uses now", async () => {
  assert.deepEqual(await chosen("tiny"), ["Now using tiny."]);
});

test("a model that could not be loaded is said with the reason", async () => {
  assert.deepEqual(await chosen("nano", "No space."), ["The model was not changed: No space."]);
  assert.deepEqual(await chosen("nano"), ["The model was not changed: tiny could not be loaded."], "the server began anew");
});

test("a model that somebody else chose meanwhile is no failure", async () => {
  assert.deepEqual(await chosen("small"), ["Now using small, which was chosen meanwhile."]);
  assert.deepEqual(await chosen("small", "small runs without compilation."), ["Now using small, which was chosen meanwhile."]);
});
