-- A database as commit cd336bb made it: three images, one removed, four labels, one deleted, an undone step.
BEGIN TRANSACTION;
CREATE TABLE annotations (
	image_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	label_id INTEGER NOT NULL, 
	counts TEXT NOT NULL, 
	area INTEGER NOT NULL, 
	x INTEGER NOT NULL, 
	y INTEGER NOT NULL, 
	w INTEGER NOT NULL, 
	h INTEGER NOT NULL, 
	score DOUBLE, 
	source TEXT NOT NULL, 
	prompts TEXT NOT NULL, 
	PRIMARY KEY (image_id, id), 
	UNIQUE (image_id, position), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	FOREIGN KEY(label_id) REFERENCES labels (id)
);
INSERT INTO "annotations" VALUES('a','first',0,2,'m22l0000io0',6,3,3,3,2,0.875,'prompt','{"box": null, "points": [[3, 3, 1]]}');
INSERT INTO "annotations" VALUES('a','second',1,2,'g82l0000oi0',6,9,9,3,2,0.875,'prompt','{"box": null, "points": [[9, 9, 1]]}');
INSERT INTO "annotations" VALUES('removed','hidden',0,4,'k42l0000km0',6,5,5,3,2,0.875,'prompt','{"box": null, "points": [[5, 5, 1]]}');
CREATE TABLE events (
	id INTEGER NOT NULL, 
	image_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	request_id TEXT, 
	state TEXT NOT NULL, 
	changes TEXT NOT NULL, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (image_id, request_id), 
	FOREIGN KEY(image_id) REFERENCES images (id)
);
INSERT INTO "events" VALUES(1,'a','keep object','request-1','done','[[null, {"id": "first", "position": 0, "label_id": 1, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}]]','2026-11-26 18:06:08');
INSERT INTO "events" VALUES(2,'a','keep object',NULL,'done','[[null, {"id": "second", "position": 1, "label_id": 2, "counts": "g82l0000oi0", "area": 6, "x": 9, "y": 9, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[9, 9, 1]]}"}]]','2026-11-26 18:06:08');
INSERT INTO "events" VALUES(3,'a','relabel object',NULL,'done','[[{"id": "first", "position": 0, "label_id": 1, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}, {"id": "first", "position": 0, "label_id": 2, "counts": "m22l0000io0", "area": 6, "x": 3, "y": 3, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[3, 3, 1]]}"}]]','2026-11-26 18:06:08');
INSERT INTO "events" VALUES(4,'a','delete object',NULL,'undone','[[{"id": "second", "position": 1, "label_id": 2, "counts": "g82l0000oi0", "area": 6, "x": 9, "y": 9, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[9, 9, 1]]}"}, null]]','2026-11-26 18:06:08');
INSERT INTO "events" VALUES(5,'removed','keep object',NULL,'done','[[null, {"id": "hidden", "position": 0, "label_id": 4, "counts": "k42l0000km0", "area": 6, "x": 5, "y": 5, "w": 3, "h": 2, "score": 0.875, "source": "prompt", "prompts": "{\"box\": null, \"points\": [[5, 5, 1]]}"}]]','2026-11-26 18:06:08');
CREATE TABLE images (
	ordinal INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	project_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	content_key TEXT NOT NULL, 
	pixel_key TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	orientation INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	revision INTEGER NOT NULL, 
	next_position INTEGER NOT NULL, 
	PRIMARY KEY (ordinal), 
	UNIQUE (id), 
	FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "images" VALUES(1,'a',1,'a.jpg','content-a','pixels-a',40,30,6,'in_progress',0,5,2);
INSERT INTO "images" VALUES(2,'b',1,'b.jpg','content-b','pixels-b',40,30,6,'done',0,0,0);
INSERT INTO "images" VALUES(3,'removed',1,'removed.jpg','content-removed','pixels-removed',40,30,6,'in_progress',1,1,1);
CREATE TABLE labels (
	id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	color TEXT NOT NULL, 
	supercategory TEXT NOT NULL, 
	"key" TEXT, 
	deleted BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (project_id, name), 
	FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "labels" VALUES(1,1,'cat','#0072b2','','1',0);
INSERT INTO "labels" VALUES(2,1,'dog','#e69f00','','2',0);
INSERT INTO "labels" VALUES(3,1,'gone','#009e73','',NULL,1);
INSERT INTO "labels" VALUES(4,1,'cow','#d55e00','','4',0);
CREATE TABLE projects (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "projects" VALUES(1,'birds','ann');
INSERT INTO "projects" VALUES(2,'empty','bob');
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE INDEX ix_projects_owner ON projects (owner);
CREATE INDEX ix_images_content_key ON images (content_key);
CREATE INDEX ix_images_project_id ON images (project_id);
CREATE INDEX ix_annotations_label_id ON annotations (label_id);
CREATE INDEX ix_events_image_id_state_id ON events (image_id, state, id);
COMMIT;
