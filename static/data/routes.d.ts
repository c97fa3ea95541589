/** The requests that the page makes, defined once. */

import type {
  Candidate,
  CategoryBox,
  ExportRun,
  FileFormat,
  History,
  Image,
  ImageDocument,
  ImagePage,
  Job,
  Label,
  LabelFields,
  Mask,
  Member,
  Project,
  PromptReply,
  Role,
  Sample,
  ServerStatus,
  Summary,
  Uploaded,
  Verdict,
  WorkStatus,
} from "./types.d.ts";

export type RequestOptions = {
  /** An object sent as JSON, or a FormData. */
  body?: object;
  signal?: AbortSignal;
  /**
   * "busy", the default, waits while the server says that it is busy. "always" also waits for a lost connection to come
   * back; it is for requests that may arrive twice.
   */
  retry?: "busy" | "always" | "never";
};
/** Every request of the page and what the server answers to it. Failures are thrown as `ApiError`. */
export interface Api {
  get(path: "/status", options?: RequestOptions): Promise<ServerStatus>;
  get(path: "/projects" | "/projects?removed=true", options?: RequestOptions): Promise<Project[]>;
  get(path: "/formats", options?: RequestOptions): Promise<FileFormat[]>;
  get(path: `/projects/${number}/summary`, options?: RequestOptions): Promise<Summary>;
  get(path: `/projects/${number}/members`, options?: RequestOptions): Promise<Member[]>;
  get(path: `/projects/${number}/export/${string}/losses${string}`, options?: RequestOptions): Promise<{ text: string }>;
  get(path: `/exports/${string}`, options?: RequestOptions): Promise<ExportRun>;
  get(path: "/samples", options?: RequestOptions): Promise<Sample[]>;
  get(path: `/projects/${number}/labels`, options?: RequestOptions): Promise<Label[]>;
  get(path: `/projects/${number}/images?${string}`, options?: RequestOptions): Promise<ImagePage>;
  get(path: `/labels/${number}/usage`, options?: RequestOptions): Promise<{ annotations: number }>;
  get(path: `/folders?path=${string}`, options?: RequestOptions): Promise<{ images: string[] }>;
  get(path: `/jobs/${string}`, options?: RequestOptions): Promise<Job>;
  get(path: `/images/${string}/document`, options?: RequestOptions): Promise<ImageDocument>;
  get(path: `/images/${string}/history`, options?: RequestOptions): Promise<History>;
  get(path: `/images/${string}`, options?: RequestOptions): Promise<Image>;
  post(path: `/projects/${number}/exports/${string}`, body: object, options?: RequestOptions): Promise<ExportRun>;
  post(path: "/projects", body: { name: string }): Promise<Project>;
  post(path: `/projects/${number}/restore`): Promise<Project>;
  post(path: `/labels/${number}/merge`, body: { into: number }): Promise<Label>;
  post(path: `/projects/${number}/labels/${number}/split`): Promise<Label>;
  post(path: `/projects/${number}/labels`, body: { name: string }): Promise<Label>;
  post(path: `/projects/${number}/images`, body: FormData): Promise<Uploaded>;
  post(path: `/projects/${number}/folder-images`, body: { path: string }): Promise<Image>;
  post(path: `/projects/${number}/samples`, body: { name: string }): Promise<Image>;
  post(
    path: `/projects/${number}/import`,
    body: FormData,
    options?: RequestOptions,
  ): Promise<{ kept: number; present: number; problems: string[] }>;
  post(path: `/images/${string}/open`, body: { upcoming: string[]; client?: string }): Promise<ImageDocument>;
  post(path: `/projects/${number}/next-image`, body: { client: string; after: string | null }): Promise<{ image: Image | null }>;
  post(path: `/images/${string}/restore`): Promise<Image>;
  post(path: `/images/${string}/prompt`, body: object, options?: RequestOptions): Promise<PromptReply>;
  post(path: `/images/${string}/${"undo" | "redo"}`, body: { revision: number }): Promise<ImageDocument>;
  post(
    path: `/images/${string}/${"automask" | "similar"}`,
    body: object,
  ): Promise<{ job_id: string }>;
  post(path: `/images/${string}/prompts`, body: object, options?: RequestOptions): Promise<{ objects: Candidate[] }>;
  post(path: `/images/${string}/label-suggestion`, body: { mask: Mask }, options?: RequestOptions): Promise<{ label_id: number | null }>;
  post(
    path: `/projects/${number}/boxes`,
    body: FormData,
    options?: RequestOptions,
  ): Promise<{ images: { image_id: string; boxes: CategoryBox[] }[]; problems: string[] }>;
  post(path: `/jobs/${string}/resume`): Promise<Job>;
  patch(path: `/projects/${number}`, body: { name: string }): Promise<Project>;
  patch(path: `/labels/${number}`, body: LabelFields): Promise<Label>;
  patch(path: `/images/${string}`, body: { status: WorkStatus }): Promise<Image>;
  put(path: `/images/${string}/review`, body: { verdict: Verdict; comment: string; revision: number }): Promise<Image>;
  put(path: `/projects/${number}/members/${string}`, body: { role: Role }): Promise<Member>;
  put(path: "/model", body: { name: string }): Promise<ServerStatus>;
  delete(path: `/projects/${number}/members/${string}`): Promise<unknown>;
  delete(path: `/projects/${number}/bin`): Promise<{ removed: number }>;
  delete(path: `/projects/${number}` | `/labels/${number}` | `/images/${string}` | `/jobs/${string}` | `/exports/${string}`): Promise<unknown>;
  send: Send;
}
export type Send = (method: string, path: string, options?: RequestOptions) => Promise<unknown>;
