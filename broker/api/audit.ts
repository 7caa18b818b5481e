/**
 * The audit chain, for its readers. Frames: reference protocol 2.22.
 */

export const audit = {};

export const auditEvents = {};
