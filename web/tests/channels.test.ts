import { describe, expect, it } from 'vitest'

import type { Channel } from '@/api/channels'
import {
  bodyOf,
  draftOf,
  freshDraft,
  freshPace,
  freshRoute,
  keptSecrets,
  missingSecrets,
  partOf,
  stateOf,
  turned,
} from '@/channels/draft'
import { entries, freshTarget, headerLines, headersOf, KIND_NAMES, KINDS, placeOf } from '@/channels/kinds'
import { filled, parsed, unknownNames, valueOf, written } from '@/channels/template'

const channel = (more: Partial<Channel> = {}): Channel => ({
  id: 'c1',
  name: 'Platform',
  enabled: true,
  language: 'en',
  timezone: '',
  target: { ...freshTarget('webhook'), url: 'https://a.example/x' },
  route: freshRoute(),
  pace: freshPace(),
  tempo: { per_minute: 1200, parallel: 4, digest_after: 0, first_retry_s: 1, most_retry_s: 120, give_up_s: 86_400 },
  secrets: { secret: { set: true }, old_secret: { set: false }, authorization: { set: true } },
  trouble: '',
  paused_until: null,
  revision: 3,
  ...more,
})

describe('secrets of a channel', () => {
  it('stay unless they are typed anew or forgotten', () => {
    const draft = draftOf(channel())
    expect(bodyOf(draft, false).secrets).toEqual({})
    draft.secrets = { secret: ' new ', old_secret: '', authorization: null }
    expect(bodyOf(draft, false).secrets).toEqual({ secret: 'new', authorization: null })
    expect(keptSecrets(channel(), draft)).toEqual(['secret'])
  })

  it('are gone when the receiver moves, since the server drops them', () => {
    const draft = draftOf(channel())
    expect(keptSecrets(channel(), draft)).toEqual(['secret', 'authorization'])
    draft.target = { ...draft.target, url: 'https://b.example/x' }
    expect(keptSecrets(channel(), draft)).toEqual([])
  })

  it('of another kind are not sent', () => {
    const draft = freshDraft('dingtalk', 'zh')
    draft.secrets = { key: 'of WeCom', token: 't' }
    expect(bodyOf(draft, true).secrets).toEqual({ token: 't' })
  })

  it('are missed where the kind cannot do without', () => {
    const draft = freshDraft('feishu', 'zh')
    expect(missingSecrets(null, draft)).toEqual(['hook'])
    draft.secrets = { hook: 'h' }
    expect(missingSecrets(null, draft)).toEqual([])
  })
})

describe('a channel in the form', () => {
  it('shares nothing with the one that is shown', () => {
    const shown = channel()
    const draft = draftOf(shown)
    draft.route.levels.push(1)
    expect(shown.route.levels).toEqual([])
  })

  it('names an id only when it is new', () => {
    const draft = { ...freshDraft('mqtt', 'en'), id: ' north ', name: ' North ' }
    expect(bodyOf(draft, true)).toMatchObject({ id: 'north', name: 'North' })
    expect(bodyOf(draft, false)).not.toHaveProperty('id')
  })

  it('shows each field of the server on the tab where it lies', () => {
    expect(partOf('route.quiet.urgent', 'http')).toBe('quiet')
    expect(partOf('route.levels', 'http')).toBe('alarms')
    expect(partOf('pace.per_minute', 'http')).toBe('advanced')
    expect(partOf('target.url', 'http')).toBe('receiver')
    expect(partOf('target.url', 'dingtalk')).toBe('advanced')
    expect(partOf('secrets.token', 'dingtalk')).toBe('receiver')
  })

  it('tells machines of each alarm, whatever was chosen for people', () => {
    const schedule = { windows: [], timezone: '', special: [], day_off_like: 6, working_like: 0 }
    const draft = { ...freshDraft('wecom', 'zh'), name: 'N', secrets: { key: 'k' } }
    draft.route.quiet = { schedule, schedule_id: null, then: 'digest', urgent: 2 }
    draft.pace.digest_after = 5
    const machine = turned(draft, 'mqtt')
    expect(machine).toMatchObject({ name: 'N', secrets: {}, timezone: '', pace: { digest_after: null } })
    expect(machine.route.quiet).toMatchObject({ then: 'hold', urgent: 2 })
    expect(turned(draft, 'email')).toMatchObject({ route: { quiet: { then: 'digest' } }, pace: { digest_after: 5 } })
    expect(turned(freshDraft('mqtt', 'en'), 'email').timezone).not.toBe('')
  })

  it('has a fresh value for every field of every kind', () => {
    for (const kind of KIND_NAMES) {
      const target = freshTarget(kind)
      for (const { name } of KINDS[kind].fields) expect(target, `${kind}.${name}`).toHaveProperty(name)
    }
  })

  it('says where it leads without a secret', () => {
    expect(placeOf(freshTarget('dingtalk'))).toBe('oapi.dingtalk.com')
    expect(placeOf({ ...freshTarget('mqtt'), host: 'b' })).toBe('b:1883/perishield')
    expect(placeOf({ ...freshTarget('email'), to: ['a@b.c', 'd@e.f'] })).toBe('a@b.c, d@e.f')
  })

  it('is ready, in trouble, paused or off', () => {
    const later = new Date(2000).toISOString()
    expect(stateOf(channel(), 1000)).toBe('ready')
    expect(stateOf(channel({ paused_until: later }), 1000)).toBe('paused')
    expect(stateOf(channel({ paused_until: later }), 3000)).toBe('ready')
    expect(stateOf(channel({ trouble: 'refused' }), 1000)).toBe('trouble')
    expect(stateOf(channel({ trouble: 'refused', enabled: false }), 1000)).toBe('off')
  })

  it('takes lists and headers as people type them', () => {
    expect(entries('a@b.c, d@e.f\n\n g@h.i；')).toEqual(['a@b.c', 'd@e.f', 'g@h.i'])
    expect(headersOf('X-Site: north:1\n\nX-Empty')).toEqual({ 'X-Site': 'north:1', 'X-Empty': '' })
    expect(headersOf(headerLines({ A: 'b', C: 'd: e' }))).toEqual({ A: 'b', C: 'd: e' })
  })
})

describe('templates', () => {
  const names = { 'alarm.id': 'a"1', 'alarm.level': 2, box: [0.1, 0.2] }

  it('are filled as the server does it', () => {
    const template = { id: '{{alarm.id}}', level: '{{ alarm.level }}', text: 'L{{alarm.level}} {{box}}', deep: ['{{box}}', 7, null] }
    expect(filled(template, names)).toEqual({ id: 'a"1', level: 2, text: 'L2 [0.1,0.2]', deep: [[0.1, 0.2], 7, null] })
  })

  it('tell of names that there are not, wherever they stand', () => {
    expect(unknownNames({ a: ['{{alarm.di}}', { b: 'x {{alarm.id}} {{y}}' }] }, names)).toEqual(['alarm.di', 'y'])
  })

  it('are JSON, or nothing', () => {
    expect(parsed('  ')).toEqual({ value: null, fault: '' })
    expect(parsed('{"a": }').fault).not.toBe('')
    expect(parsed(written({ a: [1] })).value).toEqual({ a: [1] })
  })

  it('compare answers with numbers, truths and texts', () => {
    expect([valueOf('0'), valueOf('true'), valueOf('ok'), valueOf('null'), valueOf('')]).toEqual([0, true, 'ok', null, null])
    expect(valueOf('"0"')).toBe('0')
    expect(valueOf('[1]')).toBe('[1]')
  })
})
