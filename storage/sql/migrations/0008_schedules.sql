-- Texts to be sent later, once or by cron (reference protocol 8 and 9.1). `next_run_at` counts by
-- the row's clock and is null when it is over. A broker leases a row for a moment while it runs it;
-- a run's message and the move of `next_run_at` are one commit.
create table mesh.scheduled_message (
  id text collate "C" primary key,
  mesh_id text collate "C" not null references mesh.mesh (id),
  member_id text not null references mesh.member (id),
  "to" text not null,
  to_name text not null,
  recipient_id text references mesh.member (id),
  message text not null,
  subtype text not null default 'reminder',
  priority text not null check (priority in ('now', 'next', 'low')),
  cron text,
  time_zone text,
  clock text not null check (clock in ('real', 'simulation')),
  misfire text not null check (misfire in ('run_once', 'skip', 'run_all')),
  created_at timestamptz not null,
  next_run_at timestamptz,
  fired_count integer not null default 0,
  missed_count integer not null default 0,
  fired_at timestamptz,
  ended_at timestamptz,
  ended_as text,
  notice jsonb,
  lease_owner text,
  lease_until timestamptz,
  check ((cron is null) = (time_zone is null)),
  check ((next_run_at is null) = (ended_at is not null))
);
create index on mesh.scheduled_message (next_run_at)
  where next_run_at is not null and clock = 'real';
create index on mesh.scheduled_message (mesh_id, next_run_at)
  where next_run_at is not null and clock = 'simulation';
create index on mesh.scheduled_message (mesh_id, member_id, next_run_at);
create index on mesh.scheduled_message (ended_at) where ended_at is not null;
create index on mesh.scheduled_message (mesh_id, member_id) where notice is not null;
