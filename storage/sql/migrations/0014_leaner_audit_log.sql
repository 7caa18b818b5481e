-- Every message commits an audit row, so what that costs is in each message's way. Meshes are never
-- deleted: asking each time whether one exists locked and wrote its row. The chain is read by mesh
-- alone, so one index of (mesh, id) is enough.
alter table mesh.audit_log drop constraint audit_log_mesh_id_fkey;
alter table mesh.audit_log drop constraint audit_log_pkey;
drop index mesh.audit_log_mesh_id_id_idx;
alter table mesh.audit_log add primary key (mesh_id, id);
