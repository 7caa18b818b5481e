-- Meshes, members, invitations, sealed mesh keys, presence, messages with their deliveries, audit.
-- Names follow the reference protocol, section 8; times are timestamptz.
create schema if not exists mesh;

create table mesh.mesh (
  id text primary key,
  slug text not null unique,
  name text not null,
  owner_pubkey text not null,
  custody text not null check (custody in ('members', 'broker')),
  epoch integer not null default 1,
  rekey_reason text,
  created_at timestamptz not null,
  archived_at timestamptz
);

-- `number` is the member's short name inside message_queue.recipients.
create table mesh.member (
  id text primary key,
  number integer generated always as identity unique,
  mesh_id text not null references mesh.mesh (id),
  peer_pubkey text not null,
  display_name text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  role_tag text,
  default_groups jsonb not null default '[]',
  message_mode text not null default 'push',
  body_version integer not null default 1,
  proven boolean not null,
  peer_grants jsonb not null default '{}',
  joined_at timestamptz not null,
  last_seen_at timestamptz,
  kicked_at timestamptz,
  left_at timestamptz,
  revoked_at timestamptz,
  unique (mesh_id, peer_pubkey)
);

create table mesh.invite (
  id text primary key,
  mesh_id text not null references mesh.mesh (id),
  code text unique,
  token text unique,
  version integer not null,
  role text not null check (role in ('admin', 'member')),
  max_uses integer not null,
  used_count integer not null default 0,
  preset jsonb not null default '{}',
  inviter_pubkey text,
  canonical text,
  signature text,
  sealed_secret text not null default '',
  secret_epoch integer not null default 0,
  created_by text references mesh.member (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index on mesh.invite (mesh_id);

-- One row per epoch. `broker_key` is filled only under custody `broker`, encrypted at rest.
create table mesh.mesh_epoch (
  mesh_id text not null references mesh.mesh (id),
  epoch integer not null,
  proof jsonb not null,
  broker_key bytea,
  created_at timestamptz not null,
  primary key (mesh_id, epoch)
);

-- A copy of an epoch's key, sealed to one member.
create table mesh.mesh_key (
  mesh_id text not null,
  epoch integer not null,
  member_id text not null references mesh.member (id),
  sealed_key text not null,
  handover_mac text,
  handover_by text,
  created_at timestamptz not null,
  primary key (member_id, epoch),
  foreign key (mesh_id, epoch) references mesh.mesh_epoch (mesh_id, epoch)
);

-- A member that waits for the mesh key, with the proof by which another member can judge it.
create table mesh.key_request (
  member_id text primary key references mesh.member (id),
  mesh_id text not null references mesh.mesh (id),
  invite_id text references mesh.invite (id),
  claim_text text not null,
  claim_mac text,
  requested_at timestamptz not null
);

create table mesh.presence (
  id text primary key,
  mesh_id text not null references mesh.mesh (id),
  member_id text not null references mesh.member (id),
  session_id text not null,
  session_pubkey text,
  display_name text not null,
  pid integer not null,
  cwd text not null,
  hostname text,
  peer_type text,
  channel text,
  model text,
  role text not null check (role in ('control-plane', 'session')),
  status text not null,
  status_source text not null,
  status_updated_at timestamptz not null,
  summary text,
  groups jsonb not null default '[]',
  connected_at timestamptz not null,
  last_ping_at timestamptz not null,
  disconnected_at timestamptz
);
create index on mesh.presence (mesh_id) where disconnected_at is null;

-- What a session gets back when it returns; keyed by the host's own session id.
create table mesh.peer_state (
  mesh_id text not null references mesh.mesh (id),
  member_id text not null references mesh.member (id),
  session_id text not null,
  groups jsonb not null default '[]',
  profile jsonb not null default '{}',
  visible boolean not null default true,
  last_summary text,
  last_display_name text,
  cumulative_stats jsonb not null default '{}',
  last_seen_at timestamptz not null,
  primary key (member_id, session_id)
);

-- What the messages of one commit say, one after the other in one value: a row of its own for each
-- text would cost the hottest commit twice as much. A message's row tells where its part lies; the
-- format is `storage/sql/queries/message_page.ts`'s. Not compressed, so that a part is read without
-- the rest, and ciphertext does not compress anyway.
create table mesh.message_page (
  first_seq bigint primary key,
  last_seq bigint not null,
  texts bytea not null
);
alter table mesh.message_page alter column texts set storage external;

-- The log of messages: one row each, whatever the number of recipients. `seq` is the order of
-- acknowledgement. No foreign keys: each row would cost look-ups in the hottest commit, and meshes
-- and members are never deleted. No index of a mesh's own messages either: a mesh is loaded once,
-- from its oldest open position on, by `seq`. None of ids: who has the key reads `seq` in an id.
create table mesh.message_queue (
  seq bigint primary key,
  page bigint not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- Where the message lies in its page: its head, then its ciphertext, in bytes.
  place integer not null,
  head_bytes integer not null,
  body_bytes integer not null,
  sender_number integer not null,
  id text collate "C" not null,
  mesh_id text collate "C" not null,
  client_message_id text collate "C",
  recipients integer[] not null,
  unique (sender_number, client_message_id)
);

-- Turns places in the log into the beginnings of message ids and back, so that ids do not tell
-- strangers how many messages there are. One row, made when it is first asked for, never changed.
create table mesh.message_id_key (
  only_one boolean primary key default true check (only_one),
  key bytea not null default uuid_send(gen_random_uuid())
);

-- A member's position in the log: every message up to `closed_through` that is addressed to it is
-- closed, but those in `open_below`. Acks move it; losing the last moment of it in a crash means
-- that a push is repeated, which agents drop.
create table mesh.delivery (
  member_number integer primary key references mesh.member (number),
  mesh_id text not null references mesh.mesh (id),
  closed_through bigint not null default 0,
  open_below bigint[] not null default '{}'
);
create index on mesh.delivery (mesh_id);

-- When deliveries reached a state: one row for each member, state and moment.
create table mesh.receipt (
  mesh_id text not null,
  member_number integer not null,
  state text not null check (state in ('received', 'seen', 'expired')),
  first_seq bigint not null,
  last_seq bigint not null,
  seqs bigint[] not null,
  at timestamptz not null
);
create index on mesh.receipt (member_number, last_seq);
create index on mesh.receipt (at);

-- Hash chain per mesh (reference protocol 9.12). One successor per hash: a fork cannot be written.
create table mesh.audit_log (
  id bigint generated always as identity primary key,
  mesh_id text not null references mesh.mesh (id),
  event_type text not null,
  actor_member_id text,
  actor_display_name text,
  payload jsonb not null,
  prev_hash text not null,
  hash text not null,
  created_at timestamptz not null,
  unique (mesh_id, prev_hash)
);
create index on mesh.audit_log (mesh_id, id);
