/**
 * What PostgreSQL lets every role do and a mesh's role must not: take locks that others wait for, write where no share of
 * the disk counts it, and read what other roles have defined.
 */

/**
 * Functions that only superusers keep, as patterns of LIKE. Advisory locks share their keys with the broker; large objects
 * and the log belong to no table; the rest tells of other sessions and other roles' objects. `dblink`, where it is
 * installed, reaches other servers.
 */
const FUNCTIONS = [
  "pg_advisory%",
  "pg_try_advisory%",
  "lo_%",
  "lowrite",
  "loread",
  "pg_notify",
  "pg_logical_emit_message",
  "pg_export_snapshot",
  "pg_stat_get_%",
  "pg_lock_status",
  "pg_get_viewdef",
  "pg_get_ruledef",
  "pg_get_functiondef",
  "pg_get_function_sqlbody",
  "pg_get_triggerdef",
  "pg_get_constraintdef",
  "pg_get_indexdef",
  "pg_get_partkeydef",
  "pg_get_statisticsobjdef%",
  "obj_description",
  "col_description",
  "shobj_description",
  "inet_server_addr",
  "inet_server_port",
] as const;

/**
 * SQL that takes it from everybody in one database; superusers are not bound by it. Runs as a superuser, any number of
 * times.
 * @param database its name.
 */
export function withoutTenantReach(database: string): string {
  const patterns = FUNCTIONS.map((pattern) => `'${pattern}'`).join(", ");
  return `
    REVOKE TEMPORARY ON DATABASE "${database.replaceAll('"', '""')}" FROM PUBLIC;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    DO $$
    DECLARE each record;
    BEGIN
      FOR each IN
        SELECT p.oid::regprocedure AS name FROM pg_catalog.pg_proc p
        WHERE has_function_privilege('public', p.oid, 'EXECUTE') AND (
          p.proname LIKE 'dblink%' OR
          p.pronamespace = 'pg_catalog'::regnamespace AND p.proname LIKE ANY (ARRAY[${patterns}])
        )
      LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', each.name);
      END LOOP;
    END $$;
  `;
}

/**
 * SQL that hides the catalogs of one database from every role but superusers: they name the tables of all meshes, and hold
 * the text of their views and functions. The standard's `information_schema` shows each role its own. Runs as a superuser.
 */
export const HIDDEN_CATALOGS = `
  DO $$
  DECLARE each record;
  BEGIN
    FOR each IN
      SELECT c.oid::regclass AS name FROM pg_catalog.pg_class c
      WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')
        AND has_table_privilege('public', c.oid, 'SELECT')
    LOOP
      EXECUTE format('REVOKE SELECT ON %s FROM PUBLIC', each.name);
    END LOOP;
  END $$;
`;
