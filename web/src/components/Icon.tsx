// The page's few drawings, of one line.

const PATHS = {
  mark: "M5 7.5 12 4l7 3.5L12 11zM5 12l7 3.5 7-3.5M5 16.5 12 20l7-3.5",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  down: "m7 10 5 5 5-5",
  up: "m7 14 5-5 5 5",
  upload: "M12 16V5M7.5 9 12 4.5 16.5 9M5 15.5V19h14v-3.5",
  download: "M12 4.5v11M7.5 11.5 12 16l4.5-4.5M5 19.5h14",
  close: "M6 6l12 12M18 6 6 18",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  check: "m5 12.5 4.5 4.5L19 7.5",
  left: "m14 7-5 5 5 5",
  right: "m10 7 5 5-5 5",
  open: "M14 5h5v5M19 5l-8 8M10 6H5v13h13v-5",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg className={`icon icon-${name}`} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
