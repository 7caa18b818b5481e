-- What members have done since they joined, counted by the broker.
create table mesh.member_stats (
  member_id text primary key references mesh.member (id),
  mesh_id text collate "C" not null references mesh.mesh (id),
  messages_in bigint not null,
  messages_out bigint not null,
  tool_calls bigint not null,
  errors bigint not null,
  uptime_ms bigint not null
);
create index on mesh.member_stats (mesh_id);
