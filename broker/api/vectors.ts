/**
 * Similarity search over texts. Frames: reference protocol 2.7.
 */

export const vectors = {};

export const vectorsEvents = {};
