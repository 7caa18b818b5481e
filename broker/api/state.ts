/**
 * Shared key-value state of a mesh. Frames: reference protocol 2.4.
 */

export const state = {};

export const stateEvents = {};
