/**
 * Named live data streams. Frames: reference protocol 2.10.
 */

export const streams = {};

export const streamsEvents = {};
