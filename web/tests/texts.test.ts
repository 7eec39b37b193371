import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { preferred } from '@/i18n'
import { en } from '@/i18n/en'
import { zh } from '@/i18n/zh'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value)
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text)
  }
  return found
}

const holes = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
const root = join(import.meta.dirname, '..', 'src')
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(vue|ts)$/.test(name) && !/^i18n.(en|zh)\.ts$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
const english = flat(en)
const chinese = flat(zh)

describe('texts', () => {
  it('are complete in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort())
    for (const [key, text] of chinese) expect(text.trim(), key).not.toBe('')
  })

  it('have the same holes to fill in both languages', () => {
    for (const [key, text] of english) expect(holes(chinese.get(key)!), key).toEqual(holes(text))
  })

  it('are there for every key that is asked for', () => {
    const literal = /(?:\bt|\$t|known)\(\s*'([\w.]+)'/g
    const missing = sources.flatMap(({ name, text }) =>
      [...text.matchAll(literal)].filter(([, key]) => !english.has(key!)).map(([, key]) => `${name}: ${key}`),
    )
    expect(missing).toEqual([])
  })

  it('are all asked for', () => {
    const everything = sources.map(({ text }) => text).join('\n')
    const dynamic = /^(errors|action|refused\.(why|none)|player\.why|label|kind|level|direction|condition|mode|modeHint|reason|system\.process|doctor\.(step|says|way)|exports\.state|life\.(state|step|reason|happened)|statistics\.(ailment|days)|evidence\.(kind|state|finding)|remark|why\.(test|crossed|unit)|tasks\.(is|why|fault)|schedules\.part|keys\.days|storage\.(pressure|kind|tier)|models\.did|health\.(is|todo|doubt)|watched\.(part|doubt|ailment)|channels\.(part|route|kindIs|kindText|field|fieldOf|hint|hintOf|choice|reach|reachHint|secret|secretHint|topic|quiet|quietHint|paceOf|state|outcome|outcomeText|delivery))\./
    const whole = new Set(['ground.xOf', 'ground.yOf', 'system.running', 'system.restarting', 'system.stopped'])
    const unused = [...english.keys()].filter((key) => {
      if (dynamic.test(key) || whole.has(key)) return false
      const [room, rest] = [key.split('.')[0], key.split('.').slice(1).join('.')]
      const composed = room === 'rules' && /^(tripwire|zone|fence|loiter|wrong_way|count|line_count|left_object)(Text)?$|^(field|unit|armingIs|countsAs|held)\./.test(rest)
      return !composed && !everything.includes(`'${key}'`)
    })
    expect(unused).toEqual([])
  })

  it('are the only words in the templates', () => {
    const loose = sources.flatMap(({ name, text }) => {
      const template = /<template>([\s\S]*)<\/template>/.exec(text)?.[1] ?? ''
      const bare = template.replace(/<[^>"]*(?:"[^"]*"[^>"]*)*>/g, '\n').replace(/\{\{[\s\S]*?\}\}/g, '')
      const words = bare.match(/[A-Za-z\u4e00-\u9fff]{3,}/g) ?? []
      return name.endsWith('.vue') ? words.filter((word) => word !== 'PyPeriShield').map((word) => `${name}: ${word}`) : []
    })
    expect(loose.filter((entry) => !/: (gt|lt|amp|nbsp)$/.test(entry))).toEqual([])
  })
})

describe('language', () => {
  it('follows the browser as far as we speak it', () => {
    expect(preferred(['zh-TW', 'en'])).toBe('zh')
    expect(preferred(['fr-FR', 'en-US', 'zh'])).toBe('en')
    expect(preferred(['fr'])).toBe('en')
    expect(preferred([])).toBe('en')
  })
})

describe('components', () => {
  it('of Element Plus are registered where they are used', () => {
    const registered = readFileSync(join(root, 'element.ts'), 'utf8')
    const used = new Set(sources.flatMap(({ text }) => [...text.matchAll(/<el-([\w-]+)/g)].map(([, name]) => name!)))
    const missing = [...used].filter((name) => {
      const component = `El${name.replace(/(^|-)(\w)/g, (_all, _dash, letter: string) => letter.toUpperCase())}`
      return !new RegExp(`^  ${component},$`, 'm').test(registered)
    })
    expect(missing).toEqual([])
  })
})
