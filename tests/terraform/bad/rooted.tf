# finds: no backend
locals {
  a = 1
}
