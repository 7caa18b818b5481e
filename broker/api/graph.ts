/**
 * A mesh's own graph. Frames: reference protocol 2.8.
 */

export const graph = {};

export const graphEvents = {};
