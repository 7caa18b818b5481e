-- What a session works on: one row per session, keyed by the host's own session id.
create table mesh.context (
  id text collate "C" primary key,
  mesh_id text collate "C" not null references mesh.mesh (id),
  member_id text not null references mesh.member (id),
  session_id text not null,
  peer_name text not null,
  summary text not null,
  files_read text[] not null default '{}',
  key_findings text[] not null default '{}',
  tags text[] not null default '{}',
  updated_at timestamptz not null,
  unique (member_id, session_id)
);
create index on mesh.context (mesh_id, updated_at desc);
