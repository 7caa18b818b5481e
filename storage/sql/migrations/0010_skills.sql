-- Instructions that a mesh publishes: one row a skill, one row for each version that is kept. Names
-- differ in more than case: `key` is the name in lower case.
create table mesh.skill (
  mesh_id text collate "C" not null references mesh.mesh (id),
  key text collate "C" not null,
  name text not null,
  version integer not null,
  author_member_id text not null references mesh.member (id),
  author_name text not null,
  created_at timestamptz not null,
  primary key (mesh_id, key)
);

create table mesh.skill_version (
  mesh_id text collate "C" not null,
  key text collate "C" not null,
  version integer not null,
  description text not null,
  instructions text not null,
  tags text[] not null,
  manifest jsonb not null,
  shared_by_name text not null,
  shared_at timestamptz not null,
  primary key (mesh_id, key, version),
  foreign key (mesh_id, key) references mesh.skill (mesh_id, key) on delete cascade
);
