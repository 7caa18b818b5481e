-- Shared key-value state. A key belongs to the member that made it; revisions only grow, also over
-- deletions, so that an old revision never matches a new value.
create sequence mesh.state_revision;

create table mesh.state (
  mesh_id text collate "C" not null references mesh.mesh (id),
  key text collate "C" not null,
  value jsonb not null,
  revision bigint not null default nextval('mesh.state_revision'),
  owner_member_id text not null references mesh.member (id),
  updated_by_member_id text not null references mesh.member (id),
  updated_by_name text not null,
  updated_at timestamptz not null,
  primary key (mesh_id, key)
);
