locals {
  arn = "arn:aws:ecr:${var.region}:${var.account_id}:repository/${var.project}"

  pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
}

# Of the images that `governance image build` makes, each has a tag of its own. ECR makes no repository by itself.
resource "aws_ecr_repository" "this" {
  name                 = var.project
  image_tag_mutability = "IMMUTABLE"

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
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "What has no tag"
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
  count = length(var.readers) == 0 ? 0 : 1

  repository = aws_ecr_repository.this.name

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
        Resource = concat([local.arn], tolist(var.sources))
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
        Resource = local.arn
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
