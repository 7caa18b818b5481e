/**
 * Reminders at a time or by cron. Frames: reference protocol 2.13.
 */

export const schedules = {};

export const schedulesEvents = {};
