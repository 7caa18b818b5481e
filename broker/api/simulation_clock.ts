/**
 * A mesh's simulated time. Frames: reference protocol 2.15.
 */

export const simulationClock = {};

export const simulationClockEvents = {};
