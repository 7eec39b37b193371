import type { shadow as english } from '@/i18n/shadow.en'

type Texts<T> = { [Key in keyof T]: T[Key] extends string ? string : Texts<T[Key]> }

export const shadow: Texts<typeof english> = {
  open: '用录像试运行',
  title: '用录像试运行',
  hint: '已录制的视频重新经过该摄像机的门控、检测器和规则;不会报警,也不会保存任何内容。',
  draft: '试运行对象:“{name}”,按当前绘制。',
  all: '试运行对象:该摄像机所有已启用的规则。',
  from: '从',
  to: '到',
  hours: '最近 {count} 小时',
  start: '试运行',
  cancel: '取消',
  close: '关闭',
  order: '结束时间须晚于开始时间。',
  long: '一次试运行最多 24 小时。',
  future: '开始时间在未来。',
  waiting: '另一次试运行正在进行,请稍候…',
  running: '正在查看录像…',
  failed: '试运行失败',
  would: '条本会报警',
  raised: '条实际报警',
  new: '新增',
  spared: '免去',
  effort: '录像 {footage},速度为录制时的 {speed} 倍,检测器 {detector}',
  missing: '其中 {missing} 在此没有录像。',
  none: '不会有任何报警。',
  more: '仅显示前 {count} 条。',
  noPicture: '无图片',
  kept: '被规则抑制:{reasons}',
}
