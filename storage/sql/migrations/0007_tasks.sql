-- Work to be claimed. Who assigned, claimed or closed a task is kept as the member and as the name
-- shown then. A lease that has run out makes a claimed task claimable again, whatever `status` says
-- until the next sweep.
create table mesh.task (
  id text collate "C" primary key,
  mesh_id text collate "C" not null references mesh.mesh (id),
  title text not null,
  description text,
  status text not null default 'open'
    check (status in ('open', 'claimed', 'completed', 'cancelled')),
  priority text not null check (priority in ('low', 'normal', 'high', 'urgent')),
  tags text[] not null default '{}',
  assignee text,
  assignee_member_id text collate "C" references mesh.member (id),
  assignee_group text,
  created_by_member_id text collate "C" not null references mesh.member (id),
  created_by_name text not null,
  claimed_by_member_id text collate "C" references mesh.member (id),
  claimed_by_name text,
  claimed_by_session text,
  lease_expires_at timestamptz,
  closed_by_member_id text collate "C" references mesh.member (id),
  closed_by_name text,
  result text,
  created_at timestamptz not null,
  claimed_at timestamptz,
  closed_at timestamptz,
  check ((status in ('completed', 'cancelled')) = (closed_at is not null)),
  check (status <> 'claimed' or (claimed_by_member_id is not null and lease_expires_at is not null))
);
create index on mesh.task (mesh_id, closed_at desc, created_at);
create index on mesh.task (lease_expires_at) where status = 'claimed';
create index on mesh.task (closed_at) where closed_at is not null;

-- A task can only wait for tasks that were there before it, so there are no circles.
create table mesh.task_dependency (
  task_id text collate "C" not null references mesh.task (id) on delete cascade,
  depends_on text collate "C" not null references mesh.task (id) on delete cascade,
  mesh_id text collate "C" not null,
  primary key (task_id, depends_on)
);
create index on mesh.task_dependency (depends_on);
