-- Shared files: what is said about them. Their bytes are in the store of objects under `minio_key`
-- (the reference's name for it, whatever the store). A row begins as an upload and ends as one that
-- waits for its object's removal.
create table mesh.file (
  id text collate "C" primary key,
  mesh_id text collate "C" not null references mesh.mesh (id),
  state text not null check (state in ('uploading', 'shared', 'deleted')),
  name text not null,
  size_bytes bigint not null,
  minio_key text not null,
  upload_ref text not null,
  tags text[] not null default '{}',
  persistent boolean not null,
  life_ms bigint,
  encrypted boolean not null default true,
  target_spec text check (target_spec in ('mesh', 'members')),
  sha256 text,
  owner_pubkey text not null,
  uploaded_by_member text collate "C" not null references mesh.member (id),
  uploaded_by_name text not null,
  started_at timestamptz not null,
  touched_at timestamptz not null,
  uploaded_at timestamptz,
  expires_at timestamptz,
  deleted_at timestamptz,
  check (
    state <> 'shared'
    or (target_spec is not null and sha256 is not null and uploaded_at is not null)
  )
);
create index on mesh.file (mesh_id, uploaded_at desc, id desc) where state = 'shared';
create index on mesh.file (mesh_id, state);
create index on mesh.file (expires_at) where expires_at is not null;
create index on mesh.file (touched_at) where state = 'uploading';
create index on mesh.file (deleted_at) where state = 'deleted';

-- A file's key, sealed to one member key.
create table mesh.file_key (
  file_id text collate "C" not null references mesh.file (id) on delete cascade,
  mesh_id text collate "C" not null,
  peer_pubkey text collate "C" not null,
  sealed_key text not null,
  granted_at timestamptz not null,
  granted_by_pubkey text not null,
  primary key (file_id, peer_pubkey)
);

-- A file's key under the mesh key of an epoch.
create table mesh.file_epoch_key (
  file_id text collate "C" not null references mesh.file (id) on delete cascade,
  mesh_id text collate "C" not null,
  epoch integer not null,
  wrapped_key text not null,
  wrapped_by_pubkey text not null,
  wrapped_at timestamptz not null,
  primary key (file_id, epoch)
);

-- Who fetched a file. A fetch that was not completed is gone on with by the member's next one.
create table mesh.file_access (
  id text collate "C" primary key,
  file_id text collate "C" not null references mesh.file (id) on delete cascade,
  mesh_id text collate "C" not null,
  member_id text collate "C" not null references mesh.member (id),
  peer_name text not null,
  accessed_at timestamptz not null,
  completed_at timestamptz
);
create index on mesh.file_access (file_id, accessed_at desc, id);
