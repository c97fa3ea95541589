import assert from "node:assert/strict";
import { test } from "node:test";

import { createProjects } from "../../static/work/projects.js";
import { deferred, page, server } from "./parts.js";

const CATS = { id: 1, name: "Cats" };
const DOGS = { id: 2, name: "Dogs" };

/** A page on the project "Cats". */
function having(projects, answers) {
  const on = page({ projects });
  const shown = [];
  const { api, calls } = server(answers);
  const session = { switchProject: async (id) => void (shown.push(id), on.store.set({ projectId: id })) };
  return { ...on, shown, calls, projects: createProjects({ ...on, api, session, objects: { settled: async () => true } }) };
}

test("a new project is shown, and a refused one is told", async () => {
  const add = ({ name }) => {
    if (!name.trim()) throw new Error("The name is empty.");
    return { id: 3, name };
  };
  const { store, shown, said, projects } = having([CATS], { "POST /projects": add });
  assert.equal(await projects.add("Birds"), true);
  assert.deepEqual([shown, store.get().projects.at(-1).name], [[3], "Birds"]);
  assert.equal(await projects.add(" "), false);
  assert.match(said.at(-1).text, /The name is empty/);
});

test("a removed project gives way to its neighbour, and can be had back", async () => {
  let left = [DOGS];
  const { store, shown, said, projects } = having([CATS, DOGS], {
    "DELETE /projects/1": () => CATS,
    "GET /projects": () => left,
    "GET /projects?removed=true": () => (left.length > 1 ? [] : [CATS]),
    "POST /projects/1/restore": () => ((left = [CATS, DOGS]), CATS),
  });
  await projects.remove(CATS);
  assert.deepEqual([shown, store.get().removedProjects], [[2], [CATS]]);
  await said.at(-1).action[1]();
  assert.deepEqual([shown, store.get().removedProjects], [[2, 1], []]);
});

test("after the last project the new one is shown that the server makes", async () => {
  const fresh = { id: 7, name: "My images" };
  const { store, shown, projects } = having([CATS], {
    "DELETE /projects/1": () => CATS,
    "GET /projects": () => [fresh],
    "GET /projects?removed=true": () => [CATS],
  });
  await projects.remove(CATS);
  assert.deepEqual([shown, store.get().projects], [[7], [fresh]]);
});

test("a refused name is told, and the old one stays", async () => {
  const refuse = () => {
    throw new Error("The name is too long.");
  };
  const { store, said, projects } = having([CATS], { "PATCH /projects/1": refuse });
  assert.equal(await projects.rename(CATS, "x"), false);
  assert.match(said.at(-1).text, /The name is too long/);
  assert.deepEqual(store.get().projects, [CATS]);
});

test("a project that another tab removed gives way to one that is there", async () => {
  const { shown, projects } = having([CATS, DOGS], {
    "GET /projects": () => [DOGS],
    "GET /projects?removed=true": () => [CATS],
  });
  await projects.refresh();
  assert.deepEqual(shown, [2]);
});

test("a list on its way does not take back a project added meanwhile", async () => {
  const list = deferred();
  const { store, projects } = having([CATS], {
    "GET /projects": () => list.promise,
    "GET /projects?removed=true": () => [],
    "POST /projects": () => DOGS,
  });
  const refreshed = projects.refresh();
  const added = projects.add("Dogs");
  list.resolve([CATS]);
  await Promise.all([refreshed, added]);
  assert.deepEqual(store.get().projects, [CATS, DOGS]);
});
