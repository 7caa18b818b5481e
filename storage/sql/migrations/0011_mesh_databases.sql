-- Databases of each mesh's own: what a member's own session may call. There is no table: a mesh has
-- a schema and a role on the server, or a folder of its own.

CREATE SCHEMA mesh_tenant;
GRANT USAGE ON SCHEMA mesh_tenant TO PUBLIC;

-- The size of everything that the session's role owns, files of a transaction under way included.
CREATE FUNCTION mesh_tenant.used_bytes() RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
  FROM pg_class c
  JOIN pg_roles r ON r.oid = c.relowner
  WHERE r.rolname = session_user AND c.relkind IN ('r', 'm', 'S')
$$;
