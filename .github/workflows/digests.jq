# Names and digests of the images that docker buildx has pushed, from what --metadata-file has: a line each, for all its tags.
[
  .[]
  | select(type == "object" and has("containerimage.digest"))
  | (."image.name" | split(",")[0] | sub(":[^:/]+$"; "")) + "@" + ."containerimage.digest"
]
| unique[]
