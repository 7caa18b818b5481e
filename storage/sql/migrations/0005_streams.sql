-- Streams of events, numbered without holes. `data` is the publisher's JSON as text: nothing reads
-- into it. The newest events of each are kept; the limit is the program's.
create table mesh.stream (
  id text collate "C" primary key,
  mesh_id text collate "C" not null references mesh.mesh (id),
  name text collate "C" not null,
  created_by_member_id text not null references mesh.member (id),
  created_by_name text not null,
  created_at timestamptz not null,
  last_seq bigint not null default 0,
  last_published_at timestamptz,
  unique (mesh_id, name)
);

create table mesh.stream_event (
  stream_id text collate "C" not null references mesh.stream (id) on delete cascade,
  seq bigint not null,
  mesh_id text collate "C" not null,
  data text not null,
  member_id text not null,
  session_id text not null,
  published_by_name text not null,
  published_by_pubkey text not null,
  published_at timestamptz not null,
  primary key (stream_id, seq)
);
alter table mesh.stream_event alter column data set storage external;
