import { ElMessageBox } from 'element-plus'

/** Ask before something that cannot be taken back; whether it was agreed to. `grave`: the button is red. */
export async function confirmed(text: string, title: string, yes: string, no: string, grave = false): Promise<boolean> {
  try {
    await ElMessageBox.confirm(text, title, {
      confirmButtonText: yes,
      cancelButtonText: no,
      ...(grave ? { confirmButtonClass: 'el-button--danger' } : { type: 'warning' as const }),
    })
    return true
  } catch {
    return false
  }
}
