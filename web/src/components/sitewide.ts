/** What concerns no single camera cannot be allowed for a group of them. */
export const SITEWIDE: ReadonlySet<string> = new Set([
  'models.edit',
  'channels.edit',
  'storage.edit',
  'people.edit',
  'audit.view',
])
