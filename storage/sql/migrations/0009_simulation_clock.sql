-- A mesh's simulated time as it stood when it was written last: at a change, at each tick, and when
-- it stopped. `paused` is a person's word; a clock whose mesh is empty stands still without it.
create table mesh.simulation_clock (
  mesh_id text collate "C" primary key references mesh.mesh (id),
  speed double precision not null check (speed >= 1 and speed <= 100),
  paused boolean not null,
  sim_at timestamptz not null,
  started_at timestamptz not null
);
