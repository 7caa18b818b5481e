/**
 * Shared files and the relay of peer files. Frames: reference protocol 2.6.
 */

export const files = {};

export const filesEvents = {};
