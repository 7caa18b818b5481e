/**
 * What each session works on. Frames: reference protocol 2.11.
 */

export const contexts = {};

export const contextsEvents = {};
