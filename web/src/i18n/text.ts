import { useI18n } from 'vue-i18n'

import { Problem } from '@/api/http'
import type { Stream } from '@/api/types'

/** Codes that stand for more mistakes than words tell apart. */
const OPEN = new Set(['invalid', 'rule_invalid', 'channel_invalid', 'config_invalid', 'ground_invalid', 'import_invalid'])

/** Words for what the server names by code: classes, problems, states. */
export function useTexts() {
  const { t, te, locale } = useI18n()

  const known = (key: string): string => (te(key) ? t(key) : '')

  /** By the word for the mistake, or by the kind of what is not there, with the parameters filled in. */
  function precise(code: string, params: Record<string, unknown>): string {
    const { why, kind, action } = params
    const key = typeof why === 'string' && why ? `refused.why.${why}` : code === 'not_found' ? `refused.none.${String(kind)}` : ''
    if (!key || !te(key)) return ''
    return t(key, typeof action === 'string' ? { ...params, action: known(`action.${action}`) || action } : params)
  }

  /**
   * English keeps the server's sentence, which is the most precise; other languages translate by code first. What a
   * code leaves open is told by the server's sentence beside its translation.
   */
  function sentence(code: string, detail: string, key = `errors.${code}`, params: Record<string, unknown> = {}): string {
    if (!code) return detail
    if (locale.value === 'en') return detail || known(key) || t('errors.unknown', { code })
    const exact = precise(code, params)
    if (exact) return exact
    const text = known(key)
    if (text && detail && OPEN.has(code)) {
      return t('refused.withDetail', { text: text.replace(/[.。]$/, ''), detail })
    }
    return text || detail || t('errors.unknown', { code })
  }

  function problem(error: unknown): string {
    if (error instanceof Problem) return sentence(error.code, error.message, undefined, error.params)
    return error instanceof Error ? error.message : String(error)
  }

  function streamMessage(stream: Stream): string {
    if (!stream.code && !stream.message) return ''
    const key = stream.code === 'not_found' ? 'errors.stream_not_found' : `errors.${stream.code}`
    return sentence(stream.code, stream.message, key)
  }

  /** Why there is no footage, or that there is: the ledger's word and what it adds. */
  function reason(state: string, detail: string): string {
    const word = known(`reason.${state}`) || state
    const key = detail === 'not_found' ? 'errors.stream_not_found' : `errors.${detail}`
    const more = detail ? known(`reason.detail.${detail}`) || known(key).replace(/[.。]$/, '') : ''
    return more ? `${word} (${more})` : word
  }

  const label = (name: string): string => known(`label.${name}`) || name
  const detection = (name: string, score: number): string =>
    name === 'motion' ? label(name) : `${label(name)} ${Math.round(score * 100)}%`

  return { problem, streamMessage, sentence, reason, label, detection }
}
