export interface Layout {
  columns: number
  /** Width of one tile in pixels. */
  width: number
}

/** The number of columns that shows `count` pictures of one aspect largest in a given room. */
export function bestLayout(
  count: number,
  room: { width: number; height: number },
  gap: number,
  bar: number,
  aspect = 16 / 9,
): Layout {
  let best: Layout = { columns: 1, width: 0 }
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns)
    const across = (room.width - gap * (columns - 1)) / columns
    const down = ((room.height - gap * (rows - 1)) / rows - bar) * aspect
    const width = Math.floor(Math.min(across, down))
    if (width > best.width) best = { columns, width }
  }
  return best
}
