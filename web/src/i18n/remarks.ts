import { useI18n } from 'vue-i18n'

import type { Remark } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useTexts } from '@/i18n/text'

/** Words for the server's remarks on footage and alarms. What has no code, or one that we do not know, keeps the server's sentence. */
export function useRemarks() {
  const { t, te, locale } = useI18n()
  const { number } = useFormat()
  const { sentence, label } = useTexts()

  const known = (key: string): string => (te(key) ? t(key) : '')
  const ended = (text: string): string => (/[.!?。！？]$/.test(text) ? text : text + (locale.value === 'zh' ? '。' : '.'))

  /** Parameters as they stand in a sentence; null where one of them has no words. */
  function filled(params: Remark['params']): Record<string, string> | null {
    const found: Record<string, string> = {}
    for (const [name, value] of Object.entries(params)) {
      found[name] = typeof value === 'number' ? number(value, 1) : value
    }
    if (params.kind) found.kind = known(`evidence.kind.${params.kind}`) || String(params.kind)
    if (params.label) found.label = label(String(params.label))
    if (params.recorder) found.recorder = known(`remark.recorder.${params.recorder}`) || String(params.recorder)
    if (params.error !== undefined) {
      const said = known(`remark.error.${params.error}`) || known(`errors.${params.error}`) || String(params.detail ?? '')
      found.error = said.replace(/[.。]$/, '')
    }
    if (params.why !== undefined) {
      const { why, ...rest } = params
      found.why = worded(String(why), rest)
      if (!found.why) return null
    }
    return found
  }

  function worded(code: string, params: Remark['params']): string {
    const key = `remark.${code}`
    if (!code || !te(key)) return code ? known(`errors.${code}`) : ''
    const words = filled(params)
    return words ? t(key, words, Number(params.places ?? params.count ?? 1)) : ''
  }

  function one(remark: Remark): string {
    if (te(`remark.${remark.code}`)) return worded(remark.code, remark.params) || ended(remark.text)
    return ended(sentence(remark.code, remark.text))
  }

  /** All of them as one text; `note` is what the server says of them, `named` that each says of which alarm it is. */
  function remarks(found: readonly Remark[] | undefined, note: string, named = false): string {
    if (!found?.length) return note
    const told = found.map((remark) => {
      const { alarm } = remark.params
      return named && alarm ? t('remark.ofAlarm', { alarm, text: one(remark) }) : one(remark)
    })
    return told.join(locale.value === 'zh' ? '' : ' ')
  }

  return { remarks }
}
