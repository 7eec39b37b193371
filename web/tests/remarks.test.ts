import { createSSRApp } from 'vue'
import { renderToString } from 'vue/server-renderer'
import { describe, expect, it } from 'vitest'

import type { Remark } from '@/api/types'
import { i18n, type Language } from '@/i18n'
import { useRemarks } from '@/i18n/remarks'

async function say(language: Language, found: Remark[], note = '', named = false): Promise<string> {
  i18n.global.locale.value = language
  let said = ''
  const setup = () => {
    said = useRemarks().remarks(found, note, named)
    return () => null
  }
  await renderToString(createSSRApp({ setup }).use(i18n))
  return said
}

const late: Remark = { code: 'begins_late', params: { seconds: 2.1 }, text: 'begins 2.1 s late: no earlier footage' }
const holes = (places: number): Remark => ({ code: 'left_out', params: { seconds: 3, places }, text: 'left out' })

describe('remarks', () => {
  it('are put into the language of the console', async () => {
    expect(await say('en', [late])).toBe('It begins 2.1 s late: there is no earlier footage.')
    expect(await say('zh', [late])).toBe('开始晚了 2.1 秒：没有更早的录像。')
  })

  it('of one clip stand behind one another', async () => {
    expect(await say('en', [late, holes(1)])).toMatch(/footage\. 3 s are missing in one place and left out\.$/)
    expect(await say('en', [holes(2)])).toContain('in 2 places')
    expect(await say('zh', [late, holes(2)])).toBe('开始晚了 2.1 秒：没有更早的录像。有 2 处共缺失 3 秒，已略过。')
  })

  it('of earlier versions keep their sentence', async () => {
    expect(await say('zh', [], 'ends early')).toBe('ends early')
    expect(await say('zh', [{ code: '', params: {}, text: 'ends early' }], 'ends early')).toBe('ends early。')
  })

  it('that are errors are told as errors are', async () => {
    const full: Remark = { code: 'disk_full', params: { camera: 'gate' }, text: 'the disk of /media is full; free space' }
    expect(await say('en', [full])).toBe('the disk of /media is full; free space.')
    expect(await say('zh', [full])).toBe('磁盘已满。')
    expect(await say('zh', [{ ...full, code: 'of_tomorrow' }])).toBe('the disk of /media is full; free space。')
  })

  it('say what a recorder answered', async () => {
    const failed = (error: string): Remark => ({ code: 'recorder_failed', params: { error, detail: 'ISAPI 7' }, text: 'ISAPI 7' })
    expect(await say('zh', [failed('auth_failed')])).toBe('摄像机的录像机未能提供片段：拒绝用户名或密码。')
    expect(await say('en', [failed('no_footage')])).toBe('The camera’s recorder gave no clip: it has no footage of that time.')
    expect(await say('zh', [failed('of_tomorrow')])).toBe('摄像机的录像机未能提供片段：ISAPI 7。')
  })

  it('explain one another', async () => {
    const lacking: Remark = {
      code: 'no_file',
      params: { why: 'not_read', error: 'ENOENT', detail: 'No such file', kind: 'clip', alarm: 'a1' },
      text: 'a1: clip: could not be read: No such file',
    }
    expect(await say('en', [lacking])).toBe('Clip missing. It could not be read: the file is gone.')
    expect(await say('zh', [lacking], '', true)).toBe('告警 a1：缺少片段。无法读取：文件不存在。')
    expect(await say('en', [{ ...lacking, params: { ...lacking.params, why: '' } }])).toBe(`${lacking.text}.`)
    const clipless: Remark = { code: 'no_clip', params: { why: 'missing', camera: 'gate', alarm: 'a1' }, text: 'a1: no clip' }
    expect(await say('zh', [clipless])).toBe('没有片段。该时段没有录像：未曾录制，或已删除。')
  })
})
