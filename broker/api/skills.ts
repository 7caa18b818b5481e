/**
 * Instructions that a mesh publishes. Frames: reference protocol 2.16.
 */

export const skills = {};

export const skillsEvents = {};
