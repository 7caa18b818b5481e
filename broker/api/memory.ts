/**
 * Long-lived memory of a mesh. Frames: reference protocol 2.5.
 */

export const memory = {};

export const memoryEvents = {};
