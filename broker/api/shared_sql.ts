/**
 * A mesh's own SQL tables. Frames: reference protocol 2.9.
 */

export const sharedSql = {};

export const sharedSqlEvents = {};
