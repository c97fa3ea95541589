/**
 * The page's vocabulary, defined once. Editors and `tsc` read this file; browsers never load it.
 * Coordinates are image pixels unless a comment says otherwise.
 */

// --- Geometry and masks ---

export type Position = [x: number, y: number];
export type Size = { width: number; height: number };
/** Corners. */
export type Box = [x0: number, y0: number, x1: number, y1: number];
/** COCO's order. */
export type BoundingBox = [x: number, y: number, width: number, height: number];
/** A rectangle of whole image pixels. */
export type Part = { x: number; y: number; width: number; height: number };
/** Row-major runs, zeros first, over the tight box of the mask. Masks never change; an edit makes a new one. */
export type Mask = { x: number; y: number; w: number; h: number; runs: number[] };
/** One byte, 0 or 1, per pixel of a rectangle. */
export type Bitmap = { x: number; y: number; w: number; h: number; data: Uint8Array };

// --- What the server stores ---

/** `right` is what the user may do with it: each one includes those before it. */
export type Project = { id: number; name: string; owner: string; right: "annotate" | "review" | "own" };
export type Role = "annotator" | "reviewer";
/** Somebody with whom a project is shared. */
export type Member = { name: string; role: Role };
/** Counts of a project. `user` is null for what was done before there were users. */
export type Summary = {
  images: Record<ImageStatus, number>;
  labels: { label_id: number; objects: number }[];
  people: { user: string | null; objects: number; images: number }[];
};
export type WorkStatus = "new" | "in_progress" | "done";
export type Verdict = "approved" | "rejected";
export type ImageStatus = WorkStatus | Verdict;
/** `next` is what to ask for after this page; null when it is the last one. `version` is the project's. */
export type ImagePage = { images: Image[]; total: number; next: string | null; version: number };
export type Image = {
  id: string;
  project_id: number;
  /** Its place in the queue: images lie in the order in which they were added. */
  ordinal: number;
  name: string;
  width: number;
  height: number;
  orientation: number;
  /** Whether its file has more than 8 bits a sample; its values were spread over 8 bits. */
  stretched: boolean;
  status: ImageStatus;
  /** Who gave the last verdict. */
  reviewer: string | null;
  /** What the reviewer wants to be changed. */
  review_comment: string | null;
  /** "failed": the image could not be encoded ahead of time. A prompt tries again. */
  embedding: "ready" | "none" | "failed";
  url: string;
  thumbnail_url: string;
  /** How many objects it has. */
  annotations: number;
};
/** An image that somebody has open. */
export type Place = { image_id: string; user: string };
/** What changed in a project up to a version. `reload`: too much to be told; `places`: null if they are as before. */
export type ProjectEvent = {
  version: number;
  images: { image: Image; revision: number; by: string | null }[];
  removed: { id: string; by: string | null }[];
  reload: boolean;
  labels: boolean;
  project: boolean;
  places: Place[] | null;
};
export type Label = {
  id: number;
  project_id: number;
  name: string;
  /** "#rrggbb" */
  color: string;
  supercategory: string;
  /** "1" to "9" */
  key: string | null;
};
export type LabelFields = Partial<Pick<Label, "name" | "color" | "supercategory" | "key">>;
/** `label` is 1 on the object and 0 beside it. */
export type Point = [x: number, y: number, label: 0 | 1];
export type Prompts = { points: Point[]; box: Box | null };
/** A kept object. */
export type Annotation = {
  id: string;
  image_id: string;
  label_id: number;
  /** Empty if it is too intricate to be shown. */
  mask: Mask;
  area: number;
  bbox: BoundingBox;
  score: number | null;
  source: "prompt" | "edit" | "auto" | "import" | "box";
  prompts: Partial<Prompts>;
  /** The server has not confirmed it yet. */
  pending?: boolean;
};
/** What undo and redo would do. `revision` grows with every change, also with those of other tabs. */
export type History = {
  revision: number;
  undo: string | null;
  redo: string | null;
  undo_author?: string | null;
  redo_author?: string | null;
};
/** The server's whole view of one image. */
export type ImageDocument = { image: Image; annotations: Annotation[]; history: History };

// --- What the server answers ---

export type Model = {
  name: string;
  title: string;
  device: string;
  dtype: string;
  /** Side of the model's input. */
  image_size: number;
  backend: string;
  compiling: boolean;
  reason: string;
  loading: { name: string; fraction: number } | null;
  error: string | null;
  /** A finer model that can be fetched now. */
  offer: string | null;
};
export type ModelChoice = { name: string; title: string; ready: boolean; size_mb: number };
export type ServerStatus = {
  version: string;
  model: Model;
  models: ModelChoice[];
  image_folders: string[];
  project_id: number;
  user: string | null;
  /** Whether the user may do everything, as where there is no login. */
  is_admin: boolean;
};
export type Sample = { name: string; title: string; thumbnail_url: string };
export type Candidate = {
  mask: Mask;
  score: number;
  stability: number;
  area: number;
  /** Its place in the server's answer. */
  index?: number;
};
/** Milliseconds; `encode` is null when the embedding was there. */
export type ServerTiming = { queue: number; encode: number | null; decode: number; postprocess: number; total: number };
/** `refined` is false when the candidates start from the prompts alone. */
export type PromptReply = { token: string; candidates: Candidate[]; timing: ServerTiming; refined: boolean };
export type KeepReply = { annotation: Annotation; history: History };
/** `replaced` is the mask that gave way to a new one. */
export type CorrectionReply = KeepReply & { replaced: Mask | null };
export type JobState = "running" | "done" | "cancelled" | "failed";
export type Job = { state: JobState; done: number; total: number; error: string | null; proposals: Proposal[] };
/** `known` were in the project already. */
export type Uploaded = { images: Image[]; known: Image[]; errors: { name: string; error: string }[] };

// --- The object in progress ---

/** What a prompt request asks. */
export type Question = Prompts & {
  /** The earlier answer to refine. */
  refine: { token: string; index: number } | null;
  /** The mask to refine. */
  mask: Mask | null;
  /** What the model looks at; null for the whole image. */
  view: Part | null;
};
/** One step of the object in progress. Steps never change; a new prompt makes a new step. */
export type Step = Prompts & {
  id: number;
  /** The answer this step refines. */
  base: { token: string; index: number } | null;
  /** The mask this step refines. The server gets it when it does not know the answer. */
  start: Mask | null;
  /** The last answer known. It belongs to this step when `answered`. */
  reply: PromptReply | null;
  answered: boolean;
  /** The candidate shown. */
  index: number;
  /** The mask after brush and eraser, shown instead of the candidate. */
  edited: Mask | null;
  /** The kept object being corrected. */
  annotationId: string | null;
  /** The mask that object had. */
  origin: Mask | null;
};
/** The object in progress: the steps before, the step shown, and the steps undone. */
export type Draft = { past: Step[]; now: Step | null; future: Step[] };
/** The objects in progress of an image: the one in hand, and those beside it. Undone ones are among them. */
export type Progress = { draft: Draft; others: Draft[] };

// --- Files of other tools ---

export type FileFormat = {
  name: string;
  title: string;
  file_name: string;
  /** What a project has and the file does not. */
  losses: string;
  /** Whether the file tells images for training and validation apart. */
  has_subsets: boolean;
};

/** An export that the server writes: `done` of `total` images are written. `error` is a sentence if it failed. */
export type ExportRun = {
  id: string;
  state: "running" | "done" | "failed";
  done: number;
  total: number;
  error: string | null;
};

// --- Proposals ---

/** A box of another tool's file, and the name of its class. */
export type CategoryBox = { box: Box; category: string };
export type Proposal = {
  index: number;
  mask: Mask;
  score: number;
  stability: number;
  area: number;
  bbox: BoundingBox;
  /** The click that found it. */
  point?: [x: number, y: number];
  /** How much it is like the examples, 0 to 1, if it was looked for with some. */
  similarity: number | null;
} & Partial<CategoryBox>;
/** What is remembered of a proposal that was kept or dropped. */
export type Judged = Pick<Proposal, "index" | "bbox">;
/** Least score, stability, area and similarity. `overlap` is the most that it may share with a better-scored proposal shown, in parts of the smaller one. */
export type Filter = { score: number; stability: number; area: number; overlap: number; similarity: number };
/** Where proposals come from: masks of everything, a search for what is like some objects, or boxes of a file. */
export type ReviewKind = "auto" | "similar" | "boxes";
export type Review = {
  id: number;
  imageId: string;
  kind: ReviewKind;
  /** Those of a file, if the proposals come from there. */
  boxes: CategoryBox[];
  /** Empty until the server has started the job; boxes need none. */
  jobId: string;
  state: JobState;
  done: number;
  total: number;
  proposals: Proposal[];
  /** Proposals kept or dropped, in this or in an earlier part of the run. */
  judged: Judged[];
  /** Indices of those of `proposals` that are judged. */
  gone: Set<number>;
  /** The label that is chosen while the review is shown; null: whichever it was before. */
  labelId: number | null;
  /** Indices of those to be kept as one object. */
  together: Set<number>;
  filter: Filter;
  /** The objects made of proposals. */
  kept: { ids: string[]; items: Judged[] }[];
  /** What undo brings back before it touches objects. */
  dropped: Judged[][];
  /** Where the pointer is in the image; null where it is elsewhere. */
  pointer: Position | null;
  /** How often it was stepped from the smallest proposal there to a larger one. */
  steps: number;
};

// --- The page's state ---

export type Tool = "add" | "remove" | "box" | "brush" | "eraser";
/** Preferences; they outlive the page. */
export type ViewSettings = {
  opacity: number;
  style: "both" | "fill" | "outline";
  colors: "label" | "safe" | "object";
  theme: "system" | "light" | "dark";
  /** Whether only the selected object is drawn. */
  only: boolean;
  /** Whether the mask under the pointer is previewed. */
  hover: boolean;
  crosshair: boolean;
  keymap: string;
  /** The size of holes and specks that cleaning takes away, in pixels. */
  specks: number;
};
/** What the hand is drawing at the moment. */
export type Scratch = {
  box?: Box | null;
  lasso?: Position[] | null;
  line?: Position[] | null;
  pointer?: Position | null;
  /** Where the keyboard points. */
  cursor?: Position | null;
  /** The first corner of a box drawn with the keyboard. */
  corner?: Position | null;
};
export type State = {
  status: ServerStatus | null;
  projects: Project[];
  /** Those that can be restored. */
  removedProjects: Project[];
  projectId: number | null;
  images: Image[];
  /** How many images the project has; `images` holds the pages loaded so far. */
  total: number;
  /** The status of the images shown in the queue, "" for all. */
  queueStatus: ImageStatus | "";
  /** The project's version when the beginning of the queue was fetched. */
  version: number;
  /** Who has which image open. */
  places: Place[];
  /** Whether the server tells what others change. */
  live: boolean;
  /** The project's removed images, as of the last look. */
  bin: Image[];
  samples: Sample[];
  image: Image | null;
  photoReady: boolean;
  annotations: Annotation[];
  history: History;
  labels: Label[];
  labelId: number | null;
  /** The label suggested for the object in hand. */
  suggestion: number | null;
  selection: string[];
  hidden: Set<string>;
  draft: Draft;
  others: Draft[];
  /** Whether a click beside the objects in progress begins another one. */
  many: boolean;
  review: Review | null;
  /** The preview under the pointer. */
  hover: Mask | null;
  tool: Tool;
  /** The part of an image that prompts see on its own. */
  detail: (Part & { imageId: string }) | null;
  scratch: Scratch;
  /** Radius in image pixels. */
  brush: number;
  /** How many requests the user waits for. */
  busy: number;
  /** How many changes the server has not confirmed yet. */
  unsent: number;
  online: boolean;
  /** Milliseconds of the last click; `paint` is from the press to the painted mask. */
  timing: (Partial<ServerTiming> & { paint: number }) | null;
  view: ViewSettings;
  /** Whether the project is there: its labels, and the beginning of its queue. */
  booted: boolean;
};
export type Store<T = State> = {
  get(): T;
  set(fields: Partial<T>): void;
  /** Calls `run` at once, and once per task in which one of the keys changed. */
  watch(keys: (keyof T)[], run: (state: T) => void): void;
};

// --- Changes on their way, and messages ---

/** A change on its way. It carries a request id, so that it may arrive twice. */
export type Entry = { method: string; path: string; body: { request_id: string } };
/** What became of the changes an earlier page could not deliver: reasons of refusals, and reasons to try again later. */
export type Outcome = { delivered: number; refused: string[]; waiting: string[] };

export type ToastOptions = {
  kind?: "error" | "progress";
  /** It goes away sooner. */
  quiet?: boolean;
  /** It waits to be dismissed. */
  stays?: boolean;
  action?: [words: string, run: () => unknown];
};
/** Shows a short message. */
export type Toast = (
  text: string,
  options?: ToastOptions,
) => { update: (text: string, fraction: number) => void; close: () => void };
