/** Puts the page together: the canvas with its panels, and around them the projects, the queue of images and the files. */

import { whileLoggedIn } from "./data/login.js";
import { openStorage } from "./data/storage.js";
import { createAccountMenu } from "./panels/account.js";
import { el } from "./panels/dom.js";
import { createExportPanel } from "./panels/export.js";
import { createFolderPanel } from "./panels/folder.js";
import { createHeader } from "./panels/header.js";
import { createEmptyState } from "./panels/banners.js";
import { createOverviewPanel } from "./panels/overview.js";
import { createOffer } from "./panels/offer.js";
import { createStrip } from "./panels/strip.js";
import { createTeamPanel } from "./panels/team.js";
import { listenToFiles } from "./panels/uploads.js";
import { createUses } from "./panels/uses.js";
import { createViewPanel } from "./panels/view.js";
import { createBin } from "./work/bin.js";
import { createExport } from "./work/export.js";
import { createModels } from "./work/models.js";
import { createOthers } from "./work/others.js";
import { createOverview } from "./work/overview.js";
import { createProjects } from "./work/projects.js";
import { createStream } from "./work/stream.js";
import { createWorkbench } from "./workbench.js";

/** @import { Workbench } from "./workbench.js" */

const API = new URL("../api/v1", import.meta.url).pathname;
const LOGIN = new URL("../login", import.meta.url).pathname;
const LOGOUT = new URL("../logout", import.meta.url).pathname;

/** @type {WeakMap<HTMLElement, Workbench>} */
const mounted = new WeakMap();

/**
 * Turns an empty element into the annotator. A second call for the same element changes nothing.
 * @param {HTMLElement} root
 * @returns {Workbench}
 */
export function mount(root) {
  const workbench = mounted.get(root) ?? build(root);
  mounted.set(root, workbench);
  return workbench;
}

/** @param {HTMLElement} root @returns {Workbench} */
function build(root) {
  const storage = openStorage("localStorage");
  const workbench = createWorkbench(root, {
    fetch: whileLoggedIn(fetch.bind(window), () => location.assign(LOGIN)),
    base: API,
    storage,
    tabStorage: openStorage("sessionStorage"),
    keysOf: document,
    belowKeys: [createUses()],
    verdict: { approve: () => teamPanel.approve(), reject: () => teamPanel.reject() },
  });
  const { store, api, toast, ask, objects, labels, session, team, client, intake, commands, setView, focusCanvas } = workbench;
  const { stage, side, status } = workbench;
  const projects = createProjects({ store, api, session, objects, toast });
  const bin = createBin({ store, api, session, toast, ask });
  const models = createModels({ store, api, toast, prepareAgain: session.prepareAgain });
  const download = (/** @type {string} */ path, /** @type {string} */ name) =>
    el("a", { href: API + path, download: name }).click();
  const pick = listenToFiles(root, document, {
    files: (files) => void intake.take(files).then(focusCanvas),
    folder: (files) => void intake.takeFolder(files).then(focusCanvas),
    objects: (files) => void intake.takeObjects(files).then(focusCanvas),
  });
  const pickFiles = () => pick.files();
  stage.append(
    createEmptyState({ store, intake, pickFiles, focusCanvas }),
    createOffer({ store, models, storage, focusCanvas }),
  );
  root.prepend(
    createHeader({
      store,
      session,
      team,
      projects,
      openOverview: createOverviewPanel(root, { store, overview: createOverview({ store, api }) }),
      exportPanel: createExportPanel({ work: createExport({ store, api, objects, toast, download }), focusCanvas }),
      models,
      commands,
      pickFiles,
      pickFolder: pick.folder,
      pickObjects: pick.objects,
      viewPanel: createViewPanel({ store, setView }),
      account: createAccountMenu({ store, logOut: LOGOUT }),
      folderPanel: createFolderPanel({ store, intake, focusCanvas }),
      focusCanvas,
    }),
    stage,
    side,
    createStrip({ store, session, intake, bin, commands, pickFiles, focusCanvas }),
    status,
  );
  const teamPanel = createTeamPanel({ store, team, focusCanvas });
  side.prepend(teamPanel.element);
  const others = createOthers({ store, session, objects, labels, projects, toast });
  const stream = createStream({
    base: API,
    client: () => (store.get().status?.user ? client : ""),
    onEvent: others.show,
    onLive: (live) => store.set({ live }),
    onRefused: others.refused,
  });
  store.watch(["projectId", "booted"], ({ projectId, booted, version }) => stream.follow(booted ? projectId : null, version));
  void session.boot().then(focusCanvas);
  return workbench;
}
