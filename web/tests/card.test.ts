import { describe, expect, it } from 'vitest'

import { cardOf, nameOf, NO_CARD } from '@/api/card'

describe('a card', () => {
  it('is empty where nothing is stated', () => {
    expect(cardOf(NO_CARD)).toEqual({ card: '' })
    expect(cardOf({ ...NO_CARD, classes: '\n \n' })).toEqual({ card: '' })
  })

  it('holds what is stated, and the further keys', () => {
    const draft = { ...NO_CARD, family: 'ssd', classes: 'mask\n no mask \n', aliases: 'mask = person', more: '{"least": 0.2}' }
    const made = cardOf(draft) as { card: string }
    expect(JSON.parse(made.card)).toEqual({
      least: 0.2,
      family: 'ssd',
      classes: ['mask', 'no mask'],
      aliases: { mask: 'person' },
    })
  })

  it('goes out in ASCII and comes back as it was', () => {
    const made = cardOf({ ...NO_CARD, classes: '戴口罩\nhéron 🦩' }) as { card: string }
    expect(made.card).toMatch(/^[ -~]*$/)
    expect((JSON.parse(made.card) as { classes: string[] }).classes).toEqual(['戴口罩', 'héron 🦩'])
  })

  it('names what cannot be read', () => {
    expect(cardOf({ ...NO_CARD, more: '{' })).toEqual({ fault: 'more' })
    expect(cardOf({ ...NO_CARD, more: '[1]' })).toEqual({ fault: 'more' })
    expect(cardOf({ ...NO_CARD, aliases: 'worker' })).toEqual({ fault: 'aliases' })
    expect(cardOf({ ...NO_CARD, aliases: 'a = b = c' })).toEqual({ fault: 'aliases' })
  })
})

describe('a name', () => {
  it('is made of the file’s', () => {
    expect(nameOf('Yard v2.onnx')).toEqual({ name: 'yard-v2', version: '' })
    expect(nameOf('yolox-nano@3.ONNX')).toEqual({ name: 'yolox-nano', version: '3' })
    expect(nameOf('.onnx')).toEqual({ name: '', version: '' })
  })
})
