locals {
  builds = "${var.project}/pipelines"

  # ECR makes no repository by itself. The project's own has the images that `governance image build` makes, each with a
  # tag of its own; the other those that ZenML builds, which tags every build of a pipeline alike and runs it by digest.
  mutability = {
    (var.project)  = "IMMUTABLE"
    (local.builds) = "MUTABLE"
  }

  arns = [for name in keys(local.mutability) : "arn:aws:ecr:${var.region}:${var.account_id}:repository/${name}"]

  pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
}

resource "aws_ecr_repository" "this" {
  # checkov:skip=CKV_AWS_51:ZenML gives each build of a pipeline the same tag, in a repository for that alone.
  for_each = local.mutability

  name                 = each.key
  image_tag_mutability = each.value

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "What a later build took the tag from"
      action       = { type = "expire" }
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.retention_days
      }
    }]
  })
}

resource "aws_ecr_repository_policy" "readers" {
  for_each = length(var.readers) == 0 ? {} : aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ReadersPull"
      Effect    = "Allow"
      Principal = { AWS = var.readers }
      Action    = local.pull
    }]
  })
}

# ------------------------------------------------------------------------------------------------- who works with them

resource "aws_iam_policy" "pull" {
  name        = "${var.name}-pull"
  description = "Pulls the images of ${var.project}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LogIn"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # knows no resource: what the token opens is what the other statements allow
      },
      {
        Sid      = "Pull"
        Effect   = "Allow"
        Action   = local.pull
        Resource = concat(local.arns, tolist(var.sources))
      },
    ]
  })
}

resource "aws_iam_policy" "push" {
  name        = "${var.name}-push"
  description = "Pushes images of ${var.project}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:CompleteLayerUpload",
          "ecr:DescribeImages",
          "ecr:InitiateLayerUpload",
          "ecr:ListImages",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = local.arns
      },
      {
        Sid      = "List" # ZenML asks for all repositories before it pushes to one
        Effect   = "Allow"
        Action   = "ecr:DescribeRepositories"
        Resource = "arn:aws:ecr:${var.region}:${var.account_id}:repository/*"
      },
    ]
  })
}
