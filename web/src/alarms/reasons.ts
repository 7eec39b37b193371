/** Why alarms are dismissed, as the server has it; `other` needs a comment. */
export const REASONS = [
  'animal',
  'weather',
  'light',
  'vegetation',
  'authorised_person',
  'test',
  'duplicate',
  'camera_fault',
  'other',
] as const
