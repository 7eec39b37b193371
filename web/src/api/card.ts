/** What the form knows of a network's card; see docs/guides/models.md. */
export interface CardDraft {
  family: string
  /** One class a line, in the order of the network's outputs. */
  classes: string
  /** `theirs = ours` a line: what rules call a class. */
  aliases: string
  licence: string
  source: string
  /** Further keys, as a JSON object. */
  more: string
}

export const NO_CARD: CardDraft = { family: '', classes: '', aliases: '', licence: '', source: '', more: '' }

export type CardFault = 'more' | 'aliases'

const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter(Boolean)

/** Other letters as `\u00e9`, so that the card fits into an address of ASCII. */
function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The card as JSON in ASCII, empty where nothing is stated, or what is wrong with the entries. */
export function cardOf(draft: CardDraft): { card: string } | { fault: CardFault } {
  let card: Record<string, unknown> = {}
  if (draft.more.trim()) {
    try {
      const given: unknown = JSON.parse(draft.more)
      if (typeof given !== 'object' || given === null || Array.isArray(given)) return { fault: 'more' }
      card = { ...given }
    } catch {
      return { fault: 'more' }
    }
  }
  const aliases: Record<string, string> = {}
  for (const line of lines(draft.aliases)) {
    const [theirs, ours, ...rest] = line.split('=').map((part) => part.trim())
    if (!theirs || !ours || rest.length) return { fault: 'aliases' }
    aliases[theirs] = ours
  }
  const classes = lines(draft.classes)
  if (draft.family) card.family = draft.family
  if (classes.length) card.classes = classes
  if (Object.keys(aliases).length) card.aliases = aliases
  if (draft.licence.trim()) card.licence = draft.licence.trim()
  if (draft.source.trim()) card.source = draft.source.trim()
  return { card: Object.keys(card).length ? ascii(JSON.stringify(card)) : '' }
}

/** A name for the version as the server takes one: of the file's own. */
export function nameOf(file: string): { name: string; version: string } {
  const stem = file.replace(/\.onnx$/i, '').toLowerCase()
  const [name = '', version = ''] = stem.split('@')
  const clean = (text: string): string =>
    text.replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '').slice(0, 63)
  return { name: clean(name), version: clean(version) }
}
