-- A database as commit cd336bb made it: three images, one removed, four labels, one deleted, an undone step.
CREATE TABLE annotations (
    image_id text NOT NULL,
    id text NOT NULL,
    "position" integer NOT NULL,
    label_id integer NOT NULL,
    counts text NOT NULL,
    area integer NOT NULL,
    x integer NOT NULL,
    y integer NOT NULL,
    w integer NOT NULL,
    h integer NOT NULL,
    score double precision,
    source text NOT NULL,
    prompts text NOT NULL
);
CREATE TABLE events (
    id bigint NOT NULL,
    image_id text NOT NULL,
    kind text NOT NULL,
    request_id text,
    state text NOT NULL,
    changes text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE events_id_seq OWNED BY events.id;
CREATE TABLE images (
    ordinal integer NOT NULL,
    id text NOT NULL,
    project_id integer NOT NULL,
    name text NOT NULL,
    content_key text NOT NULL,
    pixel_key text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    orientation integer NOT NULL,
    status text NOT NULL,
    deleted boolean NOT NULL,
    revision integer NOT NULL,
    next_position integer NOT NULL
);
CREATE SEQUENCE images_ordinal_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE images_ordinal_seq OWNED BY images.ordinal;
CREATE TABLE labels (
    id integer NOT NULL,
    project_id integer NOT NULL,
    name text NOT NULL,
    color text NOT NULL,
    supercategory text NOT NULL,
    key text,
    deleted boolean NOT NULL
);
CREATE SEQUENCE labels_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE labels_id_seq OWNED BY labels.id;
CREATE TABLE projects (
    id integer NOT NULL,
    name text NOT NULL,
    owner text NOT NULL
);
CREATE SEQUENCE projects_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE projects_id_seq OWNED BY projects.id;
CREATE TABLE schema_version (
    version integer NOT NULL
);
ALTER TABLE ONLY events ALTER COLUMN id SET DEFAULT nextval('events_id_seq'::regclass);
ALTER TABLE ONLY images ALTER COLUMN ordinal SET DEFAULT nextval('images_ordinal_seq'::regclass);
ALTER TABLE ONLY labels ALTER COLUMN id SET DEFAULT nextval('labels_id_seq'::regclass);
ALTER TABLE ONLY projects ALTER COLUMN id SET DEFAULT nextval('projects_id_seq'::regclass);
INSERT INTO annotations VALUES ('a', 'first', 0, 2, 'm22l0000io0', 6, 3, 3, 3, 2, 0.875, 'prompt', '{"box": null, "points": [[3, 3, 1]]}');
INSERT INTO annotations VALUES ('a', 'second', 1, 2, 'g82l0000oi0', 6, 9, 9, 3, 2, 0.875, 'prompt', '{"box": null, "points": [[9, 9, 1]]}');
INSERT INTO annotations VALUES ('removed', 'hidden', 0, 4, 'k42l0000km0', 6, 5, 5, 3, 2, 0.875, 'prompt', '{"box": null, "points": [[5, 5, 1]]}');
INSERT INTO events VALUES (1, 'a', 'keep object', 'request-1', 'done', '[[null, {"id": "first", "position": 0, "label_id": 1, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}]]', '2026-11-26 18:06:09.267088+00');
INSERT INTO events VALUES (2, 'a', 'keep object', NULL, 'done', '[[null, {"id": "second", "position": 1, "label_id": 2, "counts": "g82l0000oi0", "area": 6, "x": 9, "y": 9, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[9, 9, 1]]}"}]]', '2026-11-26 18:06:09.273468+00');
INSERT INTO events VALUES (3, 'a', 'relabel object', NULL, 'done', '[[{"id": "first", "position": 0, "label_id": 1, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}, {"id": "first", "position": 0, "label_id": 2, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}]]', '2026-11-26 18:06:09.277639+00');
INSERT INTO events VALUES (4, 'a', 'delete object', NULL, 'undone', '[[{"id": "second", "position": 1, "label_id": 2, "counts": "g82l0000oi0", "area": 6, "x": 9, "y": 9, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[9, 9, 1]]}"}, null]]', '2026-11-26 18:06:09.281745+00');
INSERT INTO events VALUES (5, 'removed', 'keep object', NULL, 'done', '[[null, {"id": "hidden", "position": 0, "label_id": 4, "counts": "k42l0000km0", "area": 6, "x": 5, "y": 5, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[5, 5, 1]]}"}]]', '2026-11-26 18:06:09.291263+00');
INSERT INTO images VALUES (1, 'a', 1, 'a.jpg', 'content-a', 'pixels-a', 40, 30, 6, 'in_progress', false, 5, 2);
INSERT INTO images VALUES (3, 'removed', 1, 'removed.jpg', 'content-removed', 'pixels-removed', 40, 30, 6, 'in_progress', true, 1, 1);
INSERT INTO images VALUES (2, 'b', 1, 'b.jpg', 'content-b', 'pixels-b', 40, 30, 6, 'done', false, 0, 0);
INSERT INTO labels VALUES (1, 1, 'cat', '#0072b2', '', '1', false);
INSERT INTO labels VALUES (2, 1, 'dog', '#e69f00', '', '2', false);
INSERT INTO labels VALUES (4, 1, 'cow', '#d55e00', '', '4', false);
INSERT INTO labels VALUES (3, 1, 'gone', '#009e73', '', NULL, true);
INSERT INTO projects VALUES (1, 'birds', 'ann');
INSERT INTO projects VALUES (2, 'empty', 'bob');
INSERT INTO schema_version VALUES (1);
SELECT pg_catalog.setval('events_id_seq', 5, true);
SELECT pg_catalog.setval('images_ordinal_seq', 3, true);
SELECT pg_catalog.setval('labels_id_seq', 4, true);
SELECT pg_catalog.setval('projects_id_seq', 2, true);
ALTER TABLE ONLY annotations
    ADD CONSTRAINT annotations_image_id_position_key UNIQUE (image_id, "position");
ALTER TABLE ONLY annotations
    ADD CONSTRAINT annotations_pkey PRIMARY KEY (image_id, id);
ALTER TABLE ONLY events
    ADD CONSTRAINT events_image_id_request_id_key UNIQUE (image_id, request_id);
ALTER TABLE ONLY events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY images
    ADD CONSTRAINT images_id_key UNIQUE (id);
ALTER TABLE ONLY images
    ADD CONSTRAINT images_pkey PRIMARY KEY (ordinal);
ALTER TABLE ONLY labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);
ALTER TABLE ONLY labels
    ADD CONSTRAINT labels_project_id_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
CREATE INDEX ix_annotations_label_id ON annotations USING btree (label_id);
CREATE INDEX ix_events_image_id_state_id ON events USING btree (image_id, state, id);
CREATE INDEX ix_images_content_key ON images USING btree (content_key);
CREATE INDEX ix_images_project_id ON images USING btree (project_id);
CREATE INDEX ix_projects_owner ON projects USING btree (owner);
ALTER TABLE ONLY annotations
    ADD CONSTRAINT annotations_image_id_fkey FOREIGN KEY (image_id) REFERENCES images(id);
ALTER TABLE ONLY annotations
    ADD CONSTRAINT annotations_label_id_fkey FOREIGN KEY (label_id) REFERENCES labels(id);
ALTER TABLE ONLY events
    ADD CONSTRAINT events_image_id_fkey FOREIGN KEY (image_id) REFERENCES images(id);
ALTER TABLE ONLY images
    ADD CONSTRAINT images_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id);
ALTER TABLE ONLY labels
    ADD CONSTRAINT labels_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id);
