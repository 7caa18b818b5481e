-- What a mesh remembers. `number` is the order of writing within the mesh. `places` says where a
-- row belongs: `mesh/level/n` for its span of 1,024, 4,096, 16,384 and 65,536 numbers, `mesh#tag`
-- for each tag. One index over words and places answers "these words, of this mesh, among its
-- newest": spans are searched from the newest down until there are enough matches, so that a word
-- that stands everywhere costs no more than a rare one, and other meshes cost nothing. Without a
-- pending list, which every search would have to read in full.
create table mesh.memory (
  mesh_id text collate "C" not null references mesh.mesh (id),
  id text collate "C" not null,
  number bigint not null,
  content text not null,
  tags text[] not null,
  remembered_by text not null references mesh.member (id),
  remembered_by_name text not null,
  remembered_session text not null,
  remembered_at timestamptz not null,
  updated_by_name text,
  updated_at timestamptz,
  expires_at timestamptz,
  forgotten_at timestamptz,
  forgotten_by text,
  -- The text-search configurations that `search` was made with.
  languages text collate "C" not null,
  search tsvector not null,
  places text[] collate "C" not null,
  primary key (mesh_id, id),
  unique (mesh_id, number)
);
create index memory_search on mesh.memory using gin (search, places)
  with (fastupdate = off) where forgotten_at is null;
create index on mesh.memory (languages);
create index on mesh.memory (expires_at) where expires_at is not null;
create index on mesh.memory (forgotten_at) where forgotten_at is not null;
