/** Templates of HTTP bodies: JSON in whose strings `{{names}}` stand for values. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type Names = Record<string, Json>

const NAME = /\{\{\s*([^{}]{1,64}?)\s*\}\}/g

/** What a new template begins with: the fields that most platforms ask for. */
export const STARTER: Json = {
  eventId: '{{alarm.id}}',
  eventType: '{{alarm.kind}}',
  level: '{{alarm.level}}',
  deviceId: '{{camera.id}}',
  deviceName: '{{camera.name}}',
  ruleName: '{{rule.name}}',
  time: '{{time.ms}}',
  picture: '{{snapshot.url}}',
}

export interface Parsed {
  value: Json
  /** What the JSON parser says, or empty. */
  fault: string
}

/** An empty text is no template: null. */
export function parsed(text: string): Parsed {
  if (!text.trim()) return { value: null, fault: '' }
  try {
    return { value: JSON.parse(text) as Json, fault: '' }
  } catch (error) {
    return { value: null, fault: error instanceof Error ? error.message : String(error) }
  }
}

export function written(value: Json | undefined): string {
  return value === null || value === undefined ? '' : JSON.stringify(value, null, 2)
}

/** Names that a template uses and that there are not. */
export function unknownNames(value: Json, known: Names): string[] {
  const found = new Set<string>()
  const walk = (part: Json): void => {
    if (typeof part === 'string') {
      for (const [, name] of part.matchAll(NAME)) if (!(name! in known)) found.add(name!)
    } else if (Array.isArray(part)) part.forEach(walk)
    else if (part && typeof part === 'object') Object.values(part).forEach(walk)
  }
  walk(value)
  return [...found]
}

/** As the server fills it in: a string that is nothing but one name becomes that value, be it a number or a list. */
export function filled(value: Json, names: Names): Json {
  if (Array.isArray(value)) return value.map((part) => filled(part, names))
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filled(part, names)]))
  }
  if (typeof value !== 'string') return value
  const alone = new RegExp(`^${NAME.source}$`).exec(value)
  if (alone) return names[alone[1]!] ?? ''
  return value.replace(NAME, (_whole, name: string) => {
    const put = names[name] ?? ''
    return typeof put === 'string' ? put : JSON.stringify(put)
  })
}

/** The value that means "taken": JSON where it is one (`0`, `true`), else the text itself. */
export function valueOf(text: string): Json {
  const { value, fault } = parsed(text)
  return fault || (value !== null && typeof value === 'object') ? text : value
}
