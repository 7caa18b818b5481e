/**
 * Work to be claimed. Frames: reference protocol 2.12.
 */

export const tasks = {};

export const tasksEvents = {};
